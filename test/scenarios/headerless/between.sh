# Something that is neither text nor packed.
printf '\377\376\000\001 no text' > /var/lib/cloud/seed/nocloud/user-data
