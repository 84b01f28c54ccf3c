package engine

import (
	"fmt"
	"slices"

	"openguest/internal/conf"
	"openguest/internal/module"
)

// ownKeys are the keys of cloud-config that we read and no module does, as far as somebody may spell them wrongly.
type ownKeys struct {
	Output struct {
		Init   outputMode `key:"init" doc:"Of the stages that find the cloud and run the first modules."`
		Config outputMode `key:"config" doc:"Of the stage that runs the second list of modules."`
		Final  outputMode `key:"final" doc:"Of the last stage, which runs people's scripts."`
		All    outputMode `key:"all" doc:"Of each stage that is not named."`
	} `key:"output" doc:"Where the output of programs goes."`
	Vendor  vendorKeys             `key:"vendor_data" doc:"What is made of vendor-data."`
	Vendor2 vendorKeys             `key:"vendor_data2" doc:"The same, of the second vendor-data."`
	Log     string                 `key:"def_log_file" doc:"The log."`
	Owners  conf.OneOrMany[string] `key:"syslog_fix_perms" doc:"Owners of the log, user:group; the first that is there."`
	Any     conf.OneOrMany[string] `key:"unverified_modules" doc:"Modules that run on each distribution."`
}

// outputMode is one text for both streams, or one for each.
type outputMode = conf.Either[struct {
	Output string `key:"output" doc:"Of what is printed."`
	Error  string `key:"error" doc:"Of errors."`
}, conf.OneOrMany[string]]

type vendorKeys struct {
	Enabled  bool                   `key:"enabled" doc:"Whether it is used."`
	Prefix   conf.OneOrMany[string] `key:"prefix" doc:"A program that runs each script of it."`
	Disabled conf.OneOrMany[string] `key:"disabled_handlers" doc:"Types of parts that are left out."`
}

// Why a key of ours does nothing in user-data.
const (
	imageOnly = "it counts in the image's configuration only"
	notBuilt  = "not built yet"
)

// ownEffects are the keys of cloud-config that are no module's, and why they do nothing in user-data; empty where they do.
func ownEffects() map[string]string {
	return map[string]string{
		"datasource": imageOnly, "datasource_list": imageOnly, "datasource_pkg_list": imageOnly, "network": imageOnly, "conf_d": imageOnly,
		"disable_fallback_netcfg": imageOnly, "disable_network_activation": imageOnly, "disable_vmware_customization": imageOnly,
		"manual_cache_clean": imageOnly, "allow_userdata": imageOnly,
		"log_cfgs": notBuilt, "logcfg": notBuilt, "log_basic": notBuilt, "reporting": notBuilt, "migrate": notBuilt,
		"system_info": "", "vendor_data": "", "vendor_data2": "", "output": "", "def_log_file": "", "syslog_fix_perms": "", "unverified_modules": "",
		"cloud_init_modules": "", "cloud_config_modules": "", "cloud_final_modules": "", "launch-index": "", "launch_index": "",
		"merge_how": "", "merge_type": "", "version": "", "_log": "",
	}
}

// engineKeys are their names.
func engineKeys() (names []string) {
	for name := range ownEffects() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkOwn says what is wrong with our own keys.
func checkOwn(config *conf.Value) []conf.Problem {
	var keys ownKeys
	problems := conf.Decode(config, &keys)
	if v := config.Get("system_info"); !v.IsNull() && v.Kind != conf.Map {
		problems = append(problems, wrongKind(v, "system_info", "a mapping"))
	}
	for _, stage := range []module.Stage{module.Init, module.Config, module.Final} {
		if key := listKey(stage); !config.Get(key).IsNull() && config.Get(key).Kind != conf.List {
			problems = append(problems, wrongKind(config.Get(key), key, "a list"))
		}
	}
	return problems
}

func wrongKind(v *conf.Value, path, want string) conf.Problem {
	return conf.Problem{Origin: v.Origin, Path: path, Message: fmt.Sprintf("want %s, have %s", want, v.Kind), Level: conf.Rejected}
}

// sound is a configuration without those of our own keys that are rejected: they are as if they had not been given.
func sound(config *conf.Value) *conf.Value {
	if config == nil {
		return nil
	}
	problems := checkOwn(config)
	less := *config
	less.Pairs = slices.DeleteFunc(slices.Clone(config.Pairs), func(pair conf.Pair) bool {
		return slices.ContainsFunc(problems, func(p conf.Problem) bool { return p.Level == conf.Rejected && p.Path == pair.Key.Text })
	})
	return &less
}

// concludeOwn gives our own keys of a configuration their verdicts.
func (e *Engine) concludeOwn(config *conf.Value) {
	problems := checkOwn(config)
	e.problems(problems)
	effects := ownEffects()
	for _, pair := range config.Pairs {
		why, own := effects[pair.Key.Text]
		if !own || slices.ContainsFunc(problems, func(p conf.Problem) bool { return p.Path == pair.Key.Text }) {
			continue
		}
		v := module.Verdict{Origin: pair.Value.Origin.String(), Key: pair.Key.Text, Verdict: module.Applied}
		if why != "" {
			v.Verdict, v.Reason = module.Skipped, why
			e.log.Log(module.Info, "%s: %s: skipped: %s", v.Origin, v.Key, why)
		}
		e.log.Verdict(v)
	}
}
