# These would reach what is outside of the sandbox.
for name in mount swapon systemctl; do
  path=$(command -v $name || echo /usr/bin/$name)
  rm -f "$path"
  printf '#!/bin/sh\necho "%s $*" >> /root/called.out\n' $name > "$path"; chmod 755 "$path"
done
printf '# a line of people\nLABEL=root / ext4 defaults 0 1\n\n/dev/old /srv/old auto defaults,comment=cloudconfig 0 2\n' > /etc/fstab
