package main

// A benchmark is one that is run.
type benchmark struct {
	module, pkg, name string
	length            string // as -benchtime has it
	times             int
	rows              []row
}

// A row is a line of the table: a metric, and what it is held against.
type row struct {
	what string
	of   metric
	// baseline is what the machine can do; the zero metric if there is none.
	baseline metric
	// atMost bounds the metric, and share its ratio to the baseline from below;
	// 0 is no bound.
	atMost, share float64
}

// A metric is a benchmark's by its full name, without "Benchmark" and the number
// of processors, and the unit of one of its results.
type metric struct{ bench, unit string }

var benchmarks = []benchmark{
	{"", "./login", "BenchmarkPendingLogins", "1x", 1, []row{
		{what: "pending login, heap and stacks", of: metric{"PendingLogins", "B/login"}, atMost: 1024},
		{what: "pending login, resident memory", of: metric{"PendingLogins", "RSS-B/login"}, atMost: 1024},
		{what: "poll lateness, median", of: metric{"PendingLogins", "late-p50-ms"}, baseline: metric{"PendingLogins", "timer-p50-ms"}},
		{what: "poll lateness, p99", of: metric{"PendingLogins", "late-p99-ms"}, baseline: metric{"PendingLogins", "timer-p99-ms"}, atMost: 5},
		{what: "end of a login, 3 durable writes, median", of: metric{"PendingLogins", "end-p50-ms"}, baseline: metric{"PendingLogins", "bare-write-p50-ms"}},
		{what: "end of a login, 3 durable writes, p99", of: metric{"PendingLogins", "end-p99-ms"}, baseline: metric{"PendingLogins", "bare-write-p99-ms"}},
		{what: "starting 10,000 logins", of: metric{"PendingLogins", "start-s"}},
		{what: "taking 9,900 over after a restart", of: metric{"PendingLogins", "restart-s"}},
	}},
	{"", "./server", "BenchmarkSessionFanOut", "200x", 5, []row{
		{what: "event to 1,000 streams, last one, median", of: metric{"SessionFanOut/hub", "p50-ms"}, baseline: metric{"SessionFanOut/bare", "p50-ms"}, atMost: 10},
		{what: "event to 1,000 streams, last one, p99", of: metric{"SessionFanOut/hub", "p99-ms"}, baseline: metric{"SessionFanOut/bare", "p99-ms"}, atMost: 25},
		{what: "memory of a stream", of: metric{"SessionFanOut/hub", "B/subscriber"}, atMost: 16 << 10},
	}},
	{"e2e", ".", "BenchmarkAuthStatus", "1x", 3, []row{
		{what: "auth/status, median of the turns", of: metric{"AuthStatus", "req/s"}, baseline: metric{"AuthStatus", "bare-req/s"}, share: 0.85},
		{what: "auth/status, best turn", of: metric{"AuthStatus", "best-req/s"}, baseline: metric{"AuthStatus", "bare-best-req/s"}},
		{what: "auth/status, processor time", of: metric{"AuthStatus", "cpu-us/req"}, baseline: metric{"AuthStatus", "bare-cpu-us/req"}},
	}},
	{"e2e", ".", "BenchmarkDaemonStart", "20x", 1, []row{
		{what: "start to the first /health, median", of: metric{"DaemonStart", "ms-median"}, atMost: 25},
		{what: "start to the first /health, best", of: metric{"DaemonStart", "ms-best"}, atMost: 25},
	}},
	{"", "./token", "BenchmarkTokenUsable", "2000000x", 1, []row{
		{what: "a token from memory", of: metric{"TokenUsable/manager", "ns/op"}, baseline: metric{"TokenUsable/baseline_sync.Map_and_time.Now", "ns/op"}, atMost: 200},
	}},
	{"", "./token", "BenchmarkRefreshOwnCost", "500x", 3, []row{
		{what: "a refresh's own cost", of: metric{"RefreshOwnCost/refresh", "ms"}, baseline: metric{"RefreshOwnCost/baseline_write,_fsync,_rename,_fsync_folder", "ms"}, atMost: 3},
	}},
	{"", "./internal/cli", "BenchmarkTokenCommand", "1x", 3, []row{
		{what: "usher token, the whole process, median", of: metric{"TokenCommand", "usher-ms"}, baseline: metric{"TokenCommand", "empty-ms"}},
		{what: "usher token, times an empty program", of: metric{"TokenCommand", "usher-x"}, atMost: 2},
		{what: "a program that links net/http, times an empty one", of: metric{"TokenCommand", "nethttp-x"}},
		{what: "one with cobra and TOML besides, times an empty one", of: metric{"TokenCommand", "cobra-x"}},
		{what: "usher token, peak resident", of: metric{"TokenCommand", "usher-peak-MiB"}, atMost: 8},
	}},
	{"e2e", ".", "BenchmarkDaemonIdle", "3x", 1, []row{
		{what: "idle daemon, resident, worst", of: metric{"DaemonIdle", "MB-resident"}, atMost: 20},
	}},
	{"e2e", ".", "BenchmarkAttendant", "5x", 1, []row{
		{what: "`usher login --no-wait`, median", of: metric{"Attendant", "ms-median"}},
		{what: "what it leaves, resident, worst", of: metric{"Attendant", "MB-resident"}, atMost: 20},
	}},
}
