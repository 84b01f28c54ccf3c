package machine

import "strings"

// Environment is a variable of this process' own environment: some containers are told in it what they are.
func (f *Facts) Environment(name string) string { return f.environmentOf("self")[name] }

// InitEnvironment is a variable in the environment of the first process, which who made the machine may have set.
func (f *Facts) InitEnvironment(name string) string { return f.environmentOf("1")[name] }

// environmentOf is the environment that a process started with; see proc_pid_environ(5).
func (f *Facts) environmentOf(process string) map[string]string {
	text, _ := f.text("/proc/" + process + "/environ")
	environment := map[string]string{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		environment[name] = value
	}
	return environment
}

// KernelVersion is how the running kernel was built, as uname -v says it.
func (f *Facts) KernelVersion() string { return f.line("/proc/sys/kernel/version") }
