# Boot 2 is a plain reboot, boot 3 a new instance.
[ $BOOT = 1 ] || echo 'instance-id: i-commands-3' > /var/lib/cloud/seed/nocloud/meta-data
