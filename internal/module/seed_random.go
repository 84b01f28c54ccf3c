package module

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

type seedRandomKeys struct {
	Seed struct {
		File     string   `key:"file" default:"/dev/urandom" doc:"Where the seed goes: a device, or a file that it is added to."`
		Data     string   `key:"data" doc:"The seed. What the cloud gives is added after it."`
		Encoding string   `key:"encoding" default:"raw" doc:"How data is packed: raw, base64, b64, gzip or gz."`
		Command  []string `key:"command" doc:"A program that seeds as well. It finds the file's name in RANDOM_SEED_FILE."`
		Required bool     `key:"command_required" doc:"That there is no such program is an error."`
	} `key:"random_seed" doc:"What the system's random numbers are seeded with."`
}

var seedRandom = define(Module{
	Name: "seed_random", Stage: Init, Every: PerInstance, Marked: true,
	Doc: "Seeds the random numbers with what the configuration and the cloud give, and runs a program that does so.",
	Examples: []string{`random_seed:
  file: /dev/urandom
  data: bXkgcmFuZG9tIHN0cmluZwo=
  encoding: base64
  command: [pollinate, --server=https://entropy.example]
  command_required: false
`},
}, func(ctx context.Context, e *Env, k *seedRandomKeys) error {
	file := k.Seed.File
	if file == "" {
		file = "/dev/urandom" // where the whole key is missing, so are its defaults
	}
	seed, err := unpackSeed(k.Seed.Data, k.Seed.Encoding)
	return errors.Join(err,
		e.addSeed(file, seed+string(e.Instance.RandomSeed)),
		e.runSeed(ctx, k.Seed.Command, k.Seed.Required, file))
})

// unpackSeed undoes the encoding of a seed.
func unpackSeed(data, encoding string) (string, error) {
	if data == "" {
		return "", nil
	}
	switch strings.ToLower(encoding) {
	case "", "raw":
		return data, nil
	case "base64", "b64":
		seed, err := decodeBase64(data)
		if err != nil {
			return "", fmt.Errorf("random_seed.data is not base64, as its encoding says: %w", err)
		}
		return string(seed), nil
	case "gzip", "gz":
		return conf.Gunzip(data, contentLimit)
	}
	return "", fmt.Errorf("Unknown random_seed encoding: %s; it may be raw, base64 or gzip", encoding)
}

// addSeed adds a seed to the file. A system that is not running has no pool of random numbers to add it to.
func (e *Env) addSeed(file, seed string) error {
	if seed == "" {
		return nil
	}
	if strings.HasPrefix(file, "/dev/") && !e.isRunning() {
		return fmt.Errorf("seed %s: %w", file, machine.ErrDeferred)
	}
	e.Debug("%s: adding %d bytes of random seed entropy to %s", e.Module, len(seed), file)
	if err := machine.MakeFolders(e.Machine.Files, path.Dir(file), machine.Folder(0o755)); err != nil {
		return err
	}
	return e.Machine.Ledger.AtRandom(func() error { // a plan that shows it gives it away
		return e.Machine.Files.Append(file, seed, machine.File(0o644, ""))
	})
}

// runSeed runs the person's program, if there is one.
func (e *Env) runSeed(ctx context.Context, command []string, required bool, file string) error {
	if len(command) == 0 {
		if required {
			return errors.New("random_seed: no command found but required=true")
		}
		return nil
	}
	err := e.Machine.Commands.Can(machine.Change{Argv: command})
	switch {
	case err == nil:
		return e.Script(ctx, machine.Program{Argv: command, Env: []string{"RANDOM_SEED_FILE=" + file}})
	case errors.Is(err, machine.ErrDeferred):
		return err
	case required:
		return fmt.Errorf("random_seed: command '%s' not found but required=true", command[0])
	}
	e.Debug("command '%s' not found for seed_command", command[0])
	return nil
}
