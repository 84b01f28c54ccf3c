package module

import (
	"context"
	"errors"
	"fmt"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// packageName is a package: its name, or a list of its name and its version.
type packageName = conf.Placed[conf.Either[string, []string]]

type packageKeys struct {
	Packages conf.OneOrMany[conf.Placed[conf.Either[conf.Named[[]packageName], packageName]]] `key:"packages" doc:"Packages to install: a name, or a list of name and version, or a mapping of a package manager (apt or snap) to a list of such."`
	Update   conf.Placed[bool]                                                                `key:"package_update" old:"apt_update" doc:"Fetch the lists of packages, once for an instance. Where packages are installed that is done anyway."`
	Upgrade  conf.Placed[bool]                                                                `key:"package_upgrade" old:"apt_upgrade" doc:"Upgrade all packages."`
	Reboot   conf.Placed[bool]                                                                `key:"package_reboot_if_required" old:"apt_reboot_if_required" doc:"Boot again at once if the packages ask for it. What is left of the configuration is done in the next boot."`
}

var packages = define(Module{
	Name: "package_update_upgrade_install", Stage: Final, Every: PerInstance, Marked: true,
	Gate: []string{"apt_update", "package_update", "apt_upgrade", "package_upgrade", "packages"},
	Doc:  "Fetches the lists of packages, upgrades the system and installs packages.",
	Examples: []string{`packages:
  - pwgen
  - [libpython3.8, 3.8.10-0ubuntu1~20.04.2]
  - snap:
      - certbot
      - [juju, --edge]
  - apt: [mg]
package_update: true
package_upgrade: true
package_reboot_if_required: true
`},
}, func(ctx context.Context, e *Env, k *packageKeys) error {
	all := k.wanted(e)
	err := errors.Join(e.upgradePackages(ctx, k), e.askedPackages(ctx, all))
	if k.Reboot.Value && (k.Upgrade.Value || len(all) > 0) {
		err = errors.Join(err, e.Item(k.Reboot.Origin, k.Reboot.Path, func() error { return e.rebootIfRequired(ctx) }))
	}
	return err
})

// wanted are the packages that are asked for, in order.
func (k *packageKeys) wanted(e *Env) (all []*wantedPackage) {
	add := func(p packageName, manager string) {
		w := &wantedPackage{manager: manager, origin: p.Origin, key: p.Path}
		switch name := p.Value; {
		case name.A != nil:
			w.name = *name.A
		case name.B != nil && (len(*name.B) == 1 || len(*name.B) == 2):
			w.name, w.version = (*name.B)[0], (*name.B)[len(*name.B)-1]
			if len(*name.B) == 1 {
				w.version = ""
			}
		case name.B != nil:
			e.Problem(conf.Problem{Origin: p.Origin, Path: p.Path, Level: conf.Rejected, Message: "want a name, or a list of a name and a version"})
		}
		if w.name != "" {
			all = append(all, w)
		}
	}
	for _, item := range k.Packages {
		if item.Value.B != nil {
			add(*item.Value.B, "")
		}
		if item.Value.A == nil {
			continue
		}
		for _, m := range *item.Value.A {
			for _, p := range m.Value {
				add(p, m.Name)
			}
		}
	}
	return all
}

// upgradePackages fetches the lists and upgrades, where that is asked for.
func (e *Env) upgradePackages(ctx context.Context, k *packageKeys) (err error) {
	if !k.Update.Value && !k.Upgrade.Value {
		return nil
	}
	m, err := e.packageManager()
	if err != nil {
		return err
	}
	if k.Update.Value {
		err = e.Item(k.Update.Origin, k.Update.Path, func() error { return e.updatePackages(ctx, m) })
		e.warnOf("Package update failed", err)
	}
	if k.Upgrade.Value {
		failure := e.Item(k.Upgrade.Origin, k.Upgrade.Path, func() error {
			updated := e.updatePackages(ctx, m)
			return errors.Join(updated, m.explain("upgrade", e.Machine.Commands.Do(ctx, m.change(e, m.Upgrade...))), e.upgradeSnaps(ctx))
		})
		e.warnOf("Package upgrade failed", failure)
		err = errors.Join(err, failure)
	}
	return err
}

// warnOf says what failed, in the words of cloud-init's log.
func (e *Env) warnOf(what string, err error) {
	if err != nil && !isDeferred(err) {
		e.Warn("%s: %v", what, err)
	}
}

// askedPackages installs the packages, and reports on each.
func (e *Env) askedPackages(ctx context.Context, all []*wantedPackage) error {
	if len(all) == 0 {
		return nil
	}
	e.installWanted(ctx, all)
	for _, w := range all {
		v := Verdict{Origin: w.origin.String(), Key: w.key, Verdict: Applied, Module: e.Module}
		if w.was {
			v.Verdict = Unchanged
		}
		e.Report.Verdict(Judge(v, w.err))
	}
	return failures(all)
}

// rebootIfRequired boots again if a package left a mark that asks for it. It returns only where that did not happen.
func (e *Env) rebootIfRequired(ctx context.Context) error {
	for _, mark := range []string{"/var/run/reboot-required", "/run/reboot-needed"} {
		n, err := e.Machine.Files.Look(mark)
		if err != nil || !n.Mode.IsRegular() {
			continue
		}
		e.Info("***WARNING*** Rebooting after upgrade or install per %s", mark)
		if err := e.Machine.Commands.Do(ctx, machine.Change{Argv: []string{"/sbin/reboot"}, Ends: true}); err != nil {
			if ctx.Err() != nil {
				return err // it happens
			}
			return fmt.Errorf("Requested reboot did not happen! %w", err)
		}
	}
	return nil
}
