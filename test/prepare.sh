# Run inside the sandbox before each scenario of ours: no network to render, one host key, which is quickly made, and a
# locale that the tree has.
mkdir -p /etc/cloud/cloud.cfg.d
echo 'network: {config: disabled}' > /etc/cloud/cloud.cfg.d/97-no-network.cfg
echo 'ssh_genkeytypes: [ed25519]' > /etc/cloud/cloud.cfg.d/98-one-host-key.cfg
echo 'locale: C.UTF-8' > /etc/cloud/cloud.cfg.d/99-locale.cfg
# Programs that would change or reach what is outside only say that they were called. shutdown says so where no comparison
# looks: it comes after the last stage, at no set time.
called=/root/called.out
for name in apt-get apt-cache snap pollinate ssh-import-id mkfs shutdown; do
  path=$(command -v $name || echo /usr/bin/$name)
  [ $name != shutdown ] || called=/dev/shm/called.out
  rm -f "$path"
  printf '#!/bin/sh\necho "%s $*" >> %s\n' $name $called > "$path"; chmod 755 "$path"
done
