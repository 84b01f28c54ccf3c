cat > /var/lib/cloud/seed/nocloud/user-data <<'DATA'
#cloud-config
locale: fr_CA
locale_configfile: /etc/other-locale
timezone: UTC
random_seed: {file: /root/seed2, data: plain text, command: [no-such-program], command_required: false}
keyboard: {layout: de}
DATA
printf 'instance-id: a/b c\nlocal-hostname: 10.1.2.3\n' > /var/lib/cloud/seed/nocloud/meta-data
