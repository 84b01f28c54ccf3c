# What the kernel was told: another seed, and configuration.
mkdir -p /srv/seed
printf '#cloud-config\nruncmd: [echo from the other seed >> /root/commandline.out]\n' > /srv/seed/user-data
printf 'instance-id: i-of-the-seed\nlocal-hostname: seed\n' > /srv/seed/meta-data
rm -r /var/lib/cloud/seed/nocloud
printf 'root=/dev/vda1 ds=nocloud;s=file:///srv/seed/;h=named;i=i-of-the-line cc: {timezone: Europe/Lisbon,%%20write_files: [{path: /root/from-line, content: x}]} end_cc quiet\n' > /srv/line
mount --bind /srv/line /proc/cmdline
