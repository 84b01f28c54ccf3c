package module

// All are the modules, in the order in which they run where cloud.cfg does not say.
//
// To add one: a file with its declaration (define), a txtar file of the same name in testdata, and its line here.
func All() []*Module { return all }

var all = append([]*Module{
	seedRandom,
	bootcmd,
	writeFiles,
	growpart,
	resizefs,
	diskSetup,
	mounts,
	setHostname,
	updateHostname,
	updateEtcHosts,
	usersGroups,
	ssh,
	setPasswords,
	locale,
	timezone,
	runcmd,
	packages,
	writeFilesDeferred,
	scriptsVendor,
	scriptsPerOnce,
	scriptsPerBoot,
	scriptsPerInstance,
	scriptsUser,
	authkeyFingerprints,
	keysToConsole,
	installHotplug,
	finalMessage,
	powerStateChange,
	googleAccounts,
}, unbuiltModules...)
