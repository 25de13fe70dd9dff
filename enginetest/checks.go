package enginetest

// Checks returns the checks of whole flows.
func Checks() []Check {
	return concat(flowChecks(), joinChecks(), failureChecks(), controlChecks(), stateChecks(), eventChecks(), fleetChecks(),
		documentChecks())
}

func concat(groups ...[]Check) []Check {
	var all []Check
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}
