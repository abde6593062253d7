// Package scripttest proves the command line from outside: scripts drive the
// built usher binary against a sandbox, each of them once without and once with
// a daemon, and whatever a user or the provider could see must be the same in
// both. It also searches everything the processes let out for secrets. The
// package holds tests only.
//
// A script is a testscript (see github.com/rogpeppe/go-internal/testscript) in
// testdata/scripts, or in testdata/store when it needs a file system of its
// own. These commands are added to testscript's:
//
//	usher ARG...                  run it to its end; it must exit 0
//	usher ARG... &NAME            start it and go on
//	usher ARG... <FILE            with the file on its standard input
//	await NAME                    wait for it; it must exit 0
//	exits N usher ARG...          as usher, with another exit code
//	exits N await NAME            as await, with another exit code
//	retry usher ARG...            as usher, again and again until it exits 0
//	signal TERM|INT|KILL NAME     send it a signal
//	await-output NAME REGEXP      wait until its output matches
//	await-expiry KEY              wait until the access token of KEY has ended
//	await-left KEY DURATION       wait until it has at most so much life
//	set-url NAME                  set $URL to the address that a server printed
//	daemon-stop, daemon-kill      end the daemon (SIGTERM, SIGKILL), if there is one
//
//	sandbox NAME=VALUE...         start the sandbox, see box.configure; sets $SANDBOX
//	sandbox-down, sandbox-up      take it off the network and back
//	sandbox-approve [SUBJECT]     approve the newest user code that was printed
//	sandbox-deny                  deny it
//	sandbox-faults FILE|none      replace the fault plan
//	sandbox-expire access|device|refresh...
//	sandbox-record FIELD N        assert a number of the sandbox's record
//	await-record FIELD N          wait until it is N or more
//
//	browse STATUS NAME|URL        open the link that NAME printed, or a URL, and show the page
//	redirect NAME FILE [P=V...]   write where the provider sends the browser to, with parameters
//	                              changed, to FILE and $REDIRECTED; sets $CODE and $PORT too
//	login-id                      set $ID to the id of the newest login
//
//	[!] stdout-json PATH [VALUE]  assert a member of the JSON on stdout
//	file-mode MODE FILE           assert permission bits
//	http STATUS METHOD URL [bearer=TOKEN|bearer-file=FILE] [BODY]
//	plain-write-fails DIR         assert that nobody could write there
//
// and, in testdata/store, data-full, data-freed, data-read-only and
// data-writable for the file system of the data folder.
//
// Which differences between the modes are meant stands in the script's file
// named differences, one a line: "record FIELD: REASON" or
// "stdout COMMAND: REASON" or "stderr COMMAND: REASON".
package scripttest
