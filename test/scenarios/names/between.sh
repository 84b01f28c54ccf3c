# Boot 1: both names given. What follows: an administrator's change; a new instance whose name only the cloud gives; one
# that prefers its fqdn and has a template; one that wants its old name.
seed=/var/lib/cloud/seed/nocloud
case $BOOT in
1) echo changed-by-admin > /etc/hostname; hostname changed-by-admin;;
2) printf 'instance-id: i-names-3\nlocal-hostname: buoy.sea.example\n' > $seed/meta-data
   printf '#cloud-config\nmanage_etc_hosts: true\nruncmd: ["(hostname; hostname --fqdn) > /root/names.out"]\n' > $seed/user-data;;
3) printf 'instance-id: i-names-4\n' > $seed/meta-data
   printf '#cloud-config\nhostname: keel\nfqdn: keel.yard.example\nprefer_fqdn_over_hostname: true\nmanage_etc_hosts: template\ncreate_hostname_file: false\n' > $seed/user-data
   printf '## template:jinja\n127.0.1.1 {{fqdn}} {{hostname}} # ours\n' > /etc/cloud/templates/hosts.debian.tmpl;;
4) printf 'instance-id: i-names-5\nlocal-hostname: unused\n' > $seed/meta-data
   printf '#cloud-config\nhostname: mast\npreserve_hostname: true\nmanage_etc_hosts: false\n' > $seed/user-data;;
esac
