# The image's configuration is a template too.
cat > /etc/cloud/cloud.cfg.d/50-template.cfg <<'CFG'
## template: jinja
timezone: Europe/{{ "lisbon" | capitalize }}
final_message: "{{ v1.cloud_name }} is {{ v1.local_hostname }}, $datasource"
CFG
