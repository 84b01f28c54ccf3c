package pack

import "testing"

// rpmLifetime takes the RPM package through its life with this system's rpm; its scripts run in the tree. The instance is one that
// the real cloud-init set up.
const rpmLifetime = `
there() { PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$ROOT" "$@"; }
rpms() { rpm --root "$ROOT" --nodeps "$@" 2>&1 | grep -vE '^rpm: |^Running in chroot, ignoring command'; } # Debian's rpm says that it is not Debian's way
enabled() { for u in cloud-init-local cloud-init-network cloud-config cloud-final; do there systemctl is-enabled $u 2>/dev/null || true; done; }
mkdir -p "$ROOT/var/lib/cloud/seed/nocloud"
echo "instance-id: i-rpm" >"$ROOT/var/lib/cloud/seed/nocloud/meta-data"
printf '#cloud-config\nruncmd: [echo run >>/root/runs]\nssh_genkeytypes: [ed25519]\n' >"$ROOT/var/lib/cloud/seed/nocloud/user-data"
mkdir -p "$ROOT/run/cloud-init" "$ROOT/run/systemd/system"
stages() {
	rm -rf "$ROOT/run/cloud-init"; mkdir -p "$ROOT/run/cloud-init"; : >"$ROOT/run/cloud-init/enabled"
	there $1 2>/dev/null
	for stage in "init --local" init "modules --mode=config" "modules --mode=final"; do there cloud-init $stage </dev/null >>"$ROOT/root/output" 2>&1 || echo "$stage: $?"; done
	echo "$(cat "$ROOT/var/lib/cloud/data/instance-id") runs $(wc -l <"$ROOT/root/runs")"
}
echo "## cloud-init"; stages /usr/lib/cloud-init/ds-identify | tail -1
there dpkg --purge cloud-init >/dev/null 2>&1
rmdir "$ROOT/run/systemd/system"
echo "## installed"; rpms --install "$ROOT"/packages/*.rpm; enabled
echo "## its stages"; stages /usr/libexec/cloud-init/ds-identify
there systemctl --quiet disable cloud-config
echo "## upgraded"; rpms --upgrade --force "$ROOT"/packages/*.rpm; enabled
echo "## removed"; rpms --erase openguest; ls "$ROOT/usr/bin" | grep -cE '^(openguest|cloud-init|cloud-id)$'; ls "$ROOT/etc/systemd/system/openguest.target.wants" 2>/dev/null; cat "$ROOT/var/lib/cloud/data/instance-id"
echo "## returned"; rpms --install "$ROOT"/packages/*.rpm; enabled; stages /usr/libexec/cloud-init/ds-identify
true
`

// Row 69 of gce-linux: the same for the RPM package as TestLifetime has it for Debian's: a stage that somebody disabled stays so at an
// upgrade, nothing is left enabled after removal, and the machine stays the instance that it was.
func TestRPMLifetime(t *testing.T) {
	tool(t, "rpm")
	got := sandboxIn(t, packages(t), rpmLifetime, outside)
	expect(t, got, "cloud-init", "i-rpm runs 1")
	expect(t, got, "installed", "enabled\nenabled\nenabled\nenabled")
	expect(t, got, "its stages", "i-rpm runs 1")
	expect(t, got, "upgraded", "enabled\nenabled\ndisabled\nenabled")
	expect(t, got, "removed", "0\ni-rpm")
	expect(t, got, "returned", "enabled\nenabled\nenabled\nenabled\ni-rpm runs 1")
}
