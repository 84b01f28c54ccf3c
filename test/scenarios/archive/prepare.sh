gzip -n < /seed/archive.txt > /var/lib/cloud/seed/nocloud/user-data
