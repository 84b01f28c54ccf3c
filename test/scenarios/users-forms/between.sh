# The other forms, for a new instance.
cat > /var/lib/cloud/seed/nocloud/user-data <<'DATA'
#cloud-config
groups: "divers,swimmers"
user: bosun
users: default, stoker
password: topsail
DATA
echo 'instance-id: i-forms-2' > /var/lib/cloud/seed/nocloud/meta-data
