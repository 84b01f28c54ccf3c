for f in boot instance once; do
  mkdir -p /var/lib/cloud/scripts/per-$f
  printf '#!/bin/sh\necho %s $INSTANCE_ID >> /root/commands.out\n' $f > /var/lib/cloud/scripts/per-$f/10-note
  chmod 755 /var/lib/cloud/scripts/per-$f/10-note
done
printf '#!/bin/sh\nexit 3\n' > /var/lib/cloud/scripts/per-boot/20-fails; chmod 755 /var/lib/cloud/scripts/per-boot/20-fails
printf '#!/bin/sh\necho never >> /root/commands.out\n' > /var/lib/cloud/scripts/per-instance/30-not-executable
mkdir /var/lib/cloud/scripts/per-boot/folder
