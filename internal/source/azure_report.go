package source

import (
	"context"
	"errors"
	"fmt"

	"openguest/internal/machine"
)

// azureWire is the address of Azure's wire server where the lease does not name another.
const azureWire = "168.63.129.16"

// azureReady tells Azure that the machine is there: without that it is taken for one that did not come up, and ends after
// some minutes. The wire server says first whom the report is about. See
// https://learn.microsoft.com/azure/virtual-machines/linux/no-agent.
func (e *Env) azureReady(ctx context.Context, wire string, l limits) error {
	request := machine.Request{URL: "http://" + wire + "/machine/?comp=goalstate", Tries: l.tries, Timeout: l.timeout, Wait: l.pause,
		Header: map[string]string{"x-ms-agent-name": "WALinuxAgent", "x-ms-version": "2012-11-30"}}
	goal, err := e.Machine.Net.Fetch(ctx, request)
	if err != nil {
		return err
	}
	report, err := azureReport(goal.URL, goal.Body)
	if err != nil {
		return err
	}
	request.URL, request.Method, request.Body = "http://"+wire+"/machine?comp=health", "POST", []byte(report)
	request.Header["Content-Type"] = "text/xml; charset=utf-8"
	_, err = e.Machine.Net.Fetch(ctx, request)
	return err
}

// azureReport is the report for a goal state.
func azureReport(where string, goal []byte) (string, error) {
	all, err := xmlTexts(where, goal)
	if err != nil {
		return "", err
	}
	incarnation, container := elementAt(all, "GoalState/Incarnation"), elementAt(all, "GoalState/Container/ContainerId")
	role := elementAt(all, "GoalState/Container/RoleInstanceList/RoleInstance/InstanceId")
	if incarnation == "" || container == "" || role == "" {
		return "", errors.New("read " + where + ": the goal state lacks Incarnation, ContainerId or InstanceId")
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?>
<Health xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <GoalStateIncarnation>%s</GoalStateIncarnation>
  <Container>
    <ContainerId>%s</ContainerId>
    <RoleInstanceList>
      <Role>
        <InstanceId>%s</InstanceId>
        <Health>
          <State>Ready</State>
        </Health>
      </Role>
    </RoleInstanceList>
  </Container>
</Health>
`, escapeXML(incarnation), escapeXML(container), escapeXML(role)), nil
}
