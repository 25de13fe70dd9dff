module github.com/nvent-go/nvent/adapters/redis

go 1.26

require (
	github.com/nvent-go/nvent v0.0.0
	github.com/redis/rueidis v1.0.79
)

require golang.org/x/sys v0.47.0 // indirect
