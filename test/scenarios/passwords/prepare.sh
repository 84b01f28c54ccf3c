for u in alpha bravo charlie delta echo; do useradd --create-home $u; done
