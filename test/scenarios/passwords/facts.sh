# What is comparable of the shadow file: salts differ, and days.
python3 - > /root/passwords.$1 <<'PY'
import re
for line in open("/etc/shadow"):
    name, hash, day = line.split(":")[:3]
    kind = re.match(r"!*(\$\w+\$)?", hash)[0] or hash
    given = re.search(r"saltysalt|5DJ8a9WMTEzIo5J4", hash)
    print(name, kind, given and hash, "expired" if day == "0" else "")
PY
