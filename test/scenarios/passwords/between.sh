# The old forms, each for a new instance.
bash /seed/facts.sh $BOOT
seed=/var/lib/cloud/seed/nocloud
echo "instance-id: i-passwords-$BOOT" > $seed/meta-data
case $BOOT in
1) cat > $seed/user-data <<'DATA'
#cloud-config
ssh_pwauth: "no"
password: ignored
chpasswd:
  list:
    - alpha:two:colons
    - bravo:$6$saltysalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/
    - charlie:RANDOM
    - delta:R
DATA
;;
2) cat > $seed/user-data <<'DATA'
#cloud-config
ssh_pwauth: unchanged
chpasswd:
  expire: true
  list: |
    alpha:lines
    echo:$1$saltysalt$1yFn1sWr5bOvfjyjGVoJu.
DATA
;;
3) printf '#cloud-config\npassword: $5$saltysalt$Gcm6FsVtF/Qa77ZKD.iwsJlCVPY0XSMgLJL0Hnww/c1\nssh_pwauth: nonsense\nruncmd: [bash /seed/facts.sh last]\n' > $seed/user-data;;
esac
