# What was called after a boot shows in the files of the next one.
seed=/var/lib/cloud/seed/nocloud
[ $BOOT = 3 ] || for i in $(seq 200); do [ "$(wc -l < /dev/shm/called.out 2>/dev/null)" = $BOOT ] && break; sleep 0.1; done
cp /dev/shm/called.out /root/power.out
echo "instance-id: i-power-$BOOT" > $seed/meta-data
case $BOOT in
1) printf '#cloud-config\npower_state: {mode: poweroff, delay: now, condition: "test -d /root"}\n' > $seed/user-data;;
2) printf '#cloud-config\npower_state: {mode: halt, delay: "+3", condition: [test, -d, /nowhere]}\n' > $seed/user-data;;
3) printf '#cloud-config\npower_state: {mode: reboot, delay: later}\n' > $seed/user-data;;
esac
