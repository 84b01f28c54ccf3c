mkdir -p /opt/old /opt/target
echo first > /opt/old/append; chmod 600 /opt/old/append
echo previous > /opt/old/replaced; chmod 755 /opt/old/replaced
ln -s /opt/target/real /opt/old/link
printf 'from a file\n' > /opt/old/source
