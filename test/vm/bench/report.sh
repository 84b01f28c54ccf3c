# Runs in the machine: waits until everything is done, and prints what systemd noted.
agents='cloud-*.service google-*.service gce-*.service'

systemctl is-system-running --wait >/run/lab-state
for file in $(cat /usr/share/lab/waits); do
  n=0
  until [ -e "$file" ] || [ $n -gt 600 ]; do n=$((n + 1)); sleep 0.1; done
done

# One line for each process of an agent: its unit, name, how often it gave up the processor, and KiB of memory that is its own.
processes() {
  for unit in $agents; do
    for procs in /sys/fs/cgroup/system.slice/$unit/cgroup.procs; do
      [ -e "$procs" ] || continue
      for pid in $(cat "$procs"); do
        echo "$1 $(cat "/proc/$pid/comm") $(cat /proc/$pid/task/*/status | awk '/^voluntary/ {n += $2} END {print n}') $(awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup")"
      done
    done
  done
}

{
  echo "LAB state $(cat /run/lab-state)"
  for unit in ssh.service multi-user.target lab-alice.target lab-bob.target lab-script.target; do
    echo "LAB at $unit $(systemctl show -P ActiveEnterTimestampMonotonic $unit)"
  done
  for unit in $(systemctl list-units --all --plain --no-legend $agents | awk '{print $1}') lab-report.service; do
    echo "LAB cpu $unit $(systemctl show -P CPUUsageNSec $unit)"
  done
  for slice in init.scope system.slice user.slice; do
    echo "LAB cpu $slice $(awk '/^usage_usec/ {print $2}' /sys/fs/cgroup/$slice/cpu.stat)000"
  done
  echo "LAB root $(df --output=size -B1 / | tail -n 1)"
  systemctl --failed --plain --no-legend | sed 's/^/LAB failed /'
  if [ -e /usr/share/lab/idle ]; then
    systemctl stop lab-recorder.service
    sed 's/^/LAB peak /' /run/lab-peaks
    echo "LAB packages $(dpkg-query -W -f '${Installed-Size}\n' | awk '{n += $1} END {print n}')"
    processes 'LAB before'
    sleep "$(cat /usr/share/lab/idle)"
    processes 'LAB after'
  fi
} >/run/lab-report
echo 'LAB end' >>/run/lab-report
sed 's/$/\r/' /run/lab-report >/dev/ttyS0
