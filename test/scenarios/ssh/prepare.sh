mkdir -p /root/.ssh; chmod 700 /root/.ssh
printf '# a note\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGfC3kz2Zr1x0m0Kf0w8nq0m0cQ2nJ3m0cQ2nJ3m0cZ old@root\n' > /root/.ssh/authorized_keys
