package cli

import "github.com/usherauth/usher/audit"

// openAudit opens the audit log that is asked for.
func (d *daemon) openAudit() (err error) {
	if d.opts.auditLog == "" {
		return nil
	}
	d.audit, err = audit.OpenFile(d.opts.auditLog, func(trouble error, lost int) {
		if trouble != nil {
			d.app.warnf("%s; going on without the audit log", show(trouble.Error()))
		} else {
			d.app.sayf("usher: the audit log works again; lines that were lost: %d", lost)
		}
	})
	if err != nil {
		return usagef("%s", show(err.Error())).WithHint("name a file of yours with --audit-log (or audit_log in config.toml), in a folder that is there")
	}
	return nil
}

func (d *daemon) closeAudit() {
	if d.audit == nil {
		return
	}
	if err := d.audit.Close(); err != nil {
		d.app.warnf("%s", show(err.Error()))
	}
	d.audit = nil
}
