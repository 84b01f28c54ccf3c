package engine

import (
	"context"
	"fmt"
	"slices"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/userdata"
)

// Check is everything that is wrong with user-data, without a machine to apply it to. The second value says that there
// was no cloud-config in it to check.
func Check(ctx context.Context, m machine.Machine, name string, data []byte) (problems []conf.Problem, none bool) {
	e := New(m.Quiet(), Options{})
	e.load()
	outside := e.outside()
	outside.Fetch = func(context.Context, string) ([]byte, error) {
		return nil, fmt.Errorf("what is included is not fetched for a check")
	}
	result, err := userdata.Process(ctx, userdata.Document{Name: name, Data: data}, outside)
	problems = result.Problems
	if err != nil {
		problems = append(problems, conf.Problem{Origin: conf.Origin{Part: name}, Message: err.Error(), Level: conf.Warning})
	}
	if result.Config == nil {
		return problems, true
	}
	for _, m := range module.All() {
		for _, p := range m.Check(result.Config) {
			if !slices.Contains(problems, p) {
				problems = append(problems, p)
			}
		}
	}
	problems = append(problems, checkOwn(result.Config)...)
	return append(problems, unknownKeys(result.Config)...), false
}
