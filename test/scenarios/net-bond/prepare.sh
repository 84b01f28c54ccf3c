rm -f /etc/cloud/cloud.cfg.d/97-no-network.cfg
