# Another place for the state, other lists, and the output somewhere else.
cat > /etc/cloud/cloud.cfg.d/50-lists.cfg <<'CFG'
datasource_list: [NoCloud]
cloud_init_modules:
  - bootcmd
  - [write-files, always]
  - cc_set_hostname
  - {name: update_etc_hosts, frequency: once}
  - no_such_module
  - migrator
cloud_config_modules:
  - [runcmd, always]
  - [timezone, once-per-instance]
  - [locale, sometimes]
cloud_final_modules:
  - [scripts-user, always]
  - [scripts-per-boot, once]
  - yum_add_repo
  - zypper-add-repo
  - [final-message, always, "said by the list"]
system_info:
  paths: {cloud_dir: /srv/cloud, templates_dir: /srv/templates}
output: {init: '> /root/init.txt', config: ['>> /root/config.txt', '&1'], final: {output: '| tee -a /root/final.txt', error: '> /root/final-errors.txt'}}
def_log_file: /var/log/other.log
syslog_fix_perms: [nobody-there:adm, daemon:adm]
unverified_modules: [yum_add_repo]
CFG
mkdir -p /srv/cloud/seed /srv/templates
mv /var/lib/cloud/seed/nocloud /srv/cloud/seed/
printf '127.0.1.1 {{fqdn}} from-our-template\n' > /srv/templates/hosts.debian.tmpl
sed -i '1i ## template:jinja' /srv/templates/hosts.debian.tmpl
rm -r /var/lib/cloud
