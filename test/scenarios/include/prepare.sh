mkdir -p /srv/parts
printf '#cloud-config\nwrite_files: [{path: /root/included, content: one}]\nruncmd: [echo config >> /root/include.out]\n' > /srv/parts/config
printf '#include\nfile:///srv/parts/script\n' > /srv/parts/nested
printf '#!/bin/sh\necho script $0 >> /root/include.out\n' > /srv/parts/script
printf '#cloud-config\nhostname: first\n' > /srv/parts/once
printf '#include-once\nfile:///srv/parts/once\n' > /srv/parts/include-once
