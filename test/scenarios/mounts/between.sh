# A new instance from the image of the first.
sed -i 's/^instance-id: .*/instance-id: i-mounts-again/' /var/lib/cloud/seed/nocloud/meta-data
