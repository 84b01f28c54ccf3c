printf '## template: jinja\n#!/bin/sh\necho {{ v1.instance_id }} {{ ds.meta_data.custom | tojson }} >> /root/script.out\n' > /var/lib/cloud/seed/nocloud/user-data
sed -i 's/i-jinja/i-jinja-2/' /var/lib/cloud/seed/nocloud/meta-data
