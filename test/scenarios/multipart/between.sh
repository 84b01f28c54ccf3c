echo 'instance-id: i-multipart-2' > /var/lib/cloud/seed/nocloud/meta-data
