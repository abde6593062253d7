package cli

const rootHelp = `usher logs you in with OAuth on a machine without a browser: you approve on
your phone or laptop, the tokens land here, and programs ask usher for a fresh
access token whenever they need one.

usage: usher COMMAND

log in
  login [KEY]       show a link to open on any device, and wait for the approval
  login KEY --no-wait --json
                    for programs and agents: print link and code and return at
                    once; then login wait KEY, login list, login cancel KEY
  status [KEY]      what is logged in
  logout KEY        revoke the tokens at the provider and remove them here
  import qwen       take over the login of qwen-code
use tokens
  token KEY         print an access token that works, refreshed if needed
  exec KEY -- CMD   run a command that gets the token
  env KEY           print the token as lines for a shell
tools
  setup TOOL        let git, docker, kubectl or qwen ask usher for tokens
  helper TOOL       what they run then
server
  serve             run the daemon, for other programs and machines
  watch             follow what happens there
  sandbox           run an OAuth server to try things with
more
  demo              see all of it work, with nothing set up
  provider          where logins happen: add, list, show, remove
  completion SHELL  complete commands in bash, zsh, fish or powershell
  version           print the version, as --version does
  help TOPIC        a command, or exit-codes, environment, json

KEY is a provider, or provider/account for a second account there, such as
github/work. usher COMMAND --help tells more. --debug logs what happens on
standard error, without secrets.

examples:
  usher demo
  usher login github
`

const helpHelp = `Print the help of a command, or about a topic: exit-codes, environment, json.
usher --help lists the commands.

usage: usher help [TOPIC]

examples:
  usher help provider add
  usher help exit-codes
`

const exitCodesHelp = `The exit codes of usher are stable:

    0  done
    1  an error that has no code of its own
    2  the command line or the configuration is wrong
    3  a login is needed: the hint has the command
    4  the login was denied
    5  the code expired before the login was approved
    6  the provider cannot be reached
    7  the data folder cannot be used: permissions, space, damage
    8  the login is still pending, and nobody waits for it here any longer
  130  interrupted

login and login wait tell with 0, 4, 5 and 8 how a login stands. login --no-wait
exits 0 as soon as there is a link. status KEY exits 3 if there is nothing
usable, and status --expect if its condition is not met. A logout that could not
revoke has removed the tokens here, and exits 6 or 1. serve and watch exit 0
when a signal ends them, as that is how they end.

exec exits with the code of the command that it ran, 128 + n if signal n ended
it, and for failures of its own, before the command runs:

  125  no token, or anything else that usher could not do
  126  the command cannot be executed
  127  the command was not found
`

const environmentHelp = `The variables that usher reads:

files
  USHER_HOME           the data folder: credentials, logins, the daemon's socket
                       and token (default ~/.local/share/usher)
  USHER_CONFIG         the configuration (default ~/.config/usher/config.toml);
                       added providers are in the folder providers beside it
  XDG_DATA_HOME, XDG_CONFIG_HOME
                       move these defaults. On macOS both are in
                       ~/Library/Application Support, on Windows in LocalAppData
                       and AppData
  XDG_RUNTIME_DIR      where the daemon's socket goes if the path of the data
                       folder is too long, and what cannot be stored there
accounts
  USHER_ACCOUNT_NAME   the account for a KEY that names none, at the provider
                       NAME: in capitals, with _ for - and .
  USHER_ACCOUNT        the same at every provider. Without them the table
                       [accounts] of config.toml decides, by folder, with lines
                       such as "~/work" = ["github/work"]
browser
  NO_BROWSER           if set, no browser is opened
  BROWSER              what opens links: a list of commands, with : between them
                       and %s for the link
  DISPLAY, WAYLAND_DISPLAY, SSH_CONNECTION, and others like them
                       where the person is: over SSH, in a container and without
                       a display nothing is opened
terminal
  CI                   if true, nothing is asked at a terminal; true or not, no
                       browser is opened
  NO_COLOR             if set, no colour
  TERM=dumb            plain lines of text
daemon
  USHER_SERVER_TOKEN   the bearer token of usher serve, else QWEN_SERVER_TOKEN
network
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY
                       the way to providers
other tools
  QWEN_HOME            the folder of qwen-code, whose file qwen-oauth shares
                       (default ~/.qwen)
  GIT_CONFIG_GLOBAL, DOCKER_CONFIG, KUBECONFIG
                       where usher setup finds the files of these tools
  KUBERNETES_EXEC_INFO what kubectl tells usher helper kubectl
  SHELL                the shell that usher env writes for
debugging
  USHER_DEBUG=1        the same as --debug
`

const jsonHelp = `With --json a command prints JSON on standard output and nothing else there.
What is said to people, and errors, are on standard error; the exit code tells
how it went. Fields are only ever added; times are RFC 3339 in UTC, durations
seconds.

What is printed is described as JSON Schema in docs/schemas of the source:

  login, login wait, login cancel, login complete
                        login-line.json, one line for each thing that happens;
                        login.json is what all of them have
  login list            login-list.json
  status                status.json; with KEY credential.json
  token                 token.json; --format exec-credential and helper kubectl:
                        exec-credential.json
  logout                logout.json
  import                credential.json
  provider              provider-list.json, provider-detail.json of show,
                        provider.json of add, provider-removed.json
  setup                 setup.json
  watch                 event.json, one line for each event
  serve, sandbox        serve.json, sandbox.json: where they listen
  version               version.json
  within others         failure.json: a code and a hint
`
