# A new instance that keeps its host keys, has another place for people's keys, and other options for root's.
printf 'instance-id: i-ssh-2\npublic-keys: {first: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGfC3kz2Zr1x0m0Kf0w8nq0m0cQ2nJ3m0cQ2nJ3m0cX cloud@key"}\n' > /var/lib/cloud/seed/nocloud/meta-data
sed -i 's|^#*AuthorizedKeysFile.*|AuthorizedKeysFile .ssh/authorized_keys2 /etc/ssh/keys/%u|' /etc/ssh/sshd_config
cat > /var/lib/cloud/seed/nocloud/user-data <<'DATA'
#cloud-config
ssh_deletekeys: false
disable_root: true
disable_root_opts: no-pty,command="echo go to $USER not $DISABLE_USER"
ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGfC3kz2Zr1x0m0Kf0w8nq0m0cQ2nJ3m0cQ2nJ3m0cY new@one]
no_ssh_fingerprints: true
ssh: {emit_keys_to_console: false}
DATA
