# Makes a repository for dnf in /repository, the only one; all packages are signed, but for own-unsigned.
export GNUPGHOME=/tmp/gnupg
mkdir -m 700 $GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-gen-key tests@example.org rsa2048 sign never
gpg --armor --export tests@example.org >/repository/key
for minor in 1 2; do
  rpmbuild -bb --quiet --define "minor $minor" --define '_rpmdir /repository' /repository/own.spec
done
find /repository -name '*.rpm' ! -name 'own-unsigned*' -exec rpmsign \
  --define '_gpg_name tests@example.org' --define '__gpg /usr/bin/gpg' --addsign {} +
createrepo_c --quiet /repository
mkdir -p /etc/yum.repos.d /etc/rpm
rm -f /etc/yum.repos.d/*
printf '[own]\nname=own\nbaseurl=file:///repository\ngpgcheck=1\ngpgkey=file:///repository/key\n' \
  >/etc/yum.repos.d/own.repo
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros # Debian's default is another one for each user
dnf install --assumeyes --quiet own-libs-1.1-1 own-base-1.1-1 # an image may have an older version
