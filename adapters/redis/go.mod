module github.com/nvent-go/nvent/adapters/redis

go 1.26.0

require (
	github.com/nvent-go/nvent v0.0.0
	github.com/redis/rueidis v1.0.79
)

require golang.org/x/text v0.43.0 // indirect

require (
	github.com/netresearch/go-cron v0.9.1
	golang.org/x/sys v0.49.0 // indirect
)
