seed=/var/lib/cloud/seed/nocloud
echo "instance-id: i-vendor-$BOOT" > $seed/meta-data
case $BOOT in
1) printf '#cloud-config\nvendor_data: {enabled: false}\n' > $seed/user-data;;
2) printf '#cloud-config\nvendor_data: {enabled: true, prefix: nice, disabled_handlers: [text/x-shellscript, text/cloud-boothook]}\n' > $seed/user-data;;
esac
