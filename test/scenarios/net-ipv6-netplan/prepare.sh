rm -f /etc/cloud/cloud.cfg.d/97-no-network.cfg
printf 'system_info: {network: {renderers: [netplan]}}\n' > /etc/cloud/cloud.cfg.d/96-netplan.cfg
