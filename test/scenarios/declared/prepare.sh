for name in locale-gen update-locale localectl; do
  printf '#!/bin/sh\necho "'$name' $*" >> /root/declared.out\n' > /usr/sbin/$name; chmod 755 /usr/sbin/$name
done
rm -f /usr/bin/localectl
