[ $BOOT = 1 ] || echo 'instance-id: i-lists-2' > /srv/cloud/seed/nocloud/meta-data
