echo 'instance-id: i-packages-2' > /var/lib/cloud/seed/nocloud/meta-data
printf '#cloud-config\npackages: [nosuch, [nginx]]\n' > /var/lib/cloud/seed/nocloud/user-data
