// Package interop has only tests: of nvent's queue and npm's bullmq, versions 5 and 6, on the same queues.
package interop
