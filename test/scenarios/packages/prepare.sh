# Package managers that write down what they are asked, and know some packages.
cat > /usr/bin/apt-get <<'STUB'
#!/bin/sh
echo "apt-get $DEBIAN_FRONTEND $*" >> /root/packages.out
case "$*" in *nosuch*) echo "E: Unable to locate package nosuch" >&2; exit 100;; esac
STUB
