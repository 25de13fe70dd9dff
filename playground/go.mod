module github.com/nvent-go/nvent/playground

go 1.26.0

require github.com/nvent-go/nvent v0.0.0

require (
	github.com/expr-lang/expr v1.17.8 // indirect
	github.com/goccy/go-yaml v1.19.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
)
