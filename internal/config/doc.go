// Package config reads configuration: YAML with positions, values from the environment, and strict decoding into structs
// whose tags say what is allowed.
//
// The tags of a field:
//
//	json:"name"        the key; ",inline" on a map of sections takes the keys that no other field has
//	default:"5m"       what a zero value stands for, as YAML
//	unit:"s"           what a bare number means for a duration (milliseconds if not given); "bytes" for a size
//	min:"1" max:"10"   bounds, inclusive
//	enum:"a,b"         the texts that are allowed
//	shorthand:"k=v,f"  a value that is no mapping stands for the field f, with k set to v
//
// No error shows what may be a secret: see [Redact].
package config
