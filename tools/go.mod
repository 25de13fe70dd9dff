module github.com/nvent-go/nvent/tools

go 1.26.0
