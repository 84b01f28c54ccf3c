# What was fetched once is not fetched again.
rm /srv/parts/once
printf '#!/bin/sh\necho new script >> /root/include.out\n' > /srv/parts/script
