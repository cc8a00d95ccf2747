//! What the heading of a column means, in the languages in which class lists come. A heading is known by
//! its letters alone: case, accents, spaces and punctuation do not count, so `User_Name` is `username`.

use std::collections::HashMap;
use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// What the cells below a heading are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The name in a certificate.
    Id,
    /// The name with which somebody logs in.
    Login,
    Email,
    /// The number of a student.
    Number,
    /// The whole name of a person.
    FullName,
    /// A name that is whole, unless there is a column for the other half.
    Name,
    FirstName,
    LastName,
    /// Known to be a heading, and of no use here.
    Other,
}

/// Returns the meaning of a heading, if it is known.
pub(super) fn meaning(heading: &str) -> Option<Meaning> {
    if heading.len() > HEADING_BYTES_MAX {
        return None;
    }
    known().get(&fold(heading)).copied()
}

/// Returns whether a text is known as a heading.
pub(super) fn is_heading(text: &str) -> bool {
    meaning(text).is_some()
}

/// Returns whether two headings are the same for people: case and spaces may differ.
pub(super) fn are_same(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        words.join(" ").nfc().collect::<String>()
    };
    // Longer texts are never headings, and folding them takes time.
    let is_short = one.len().max(other.len()) <= HEADING_BYTES_MAX;
    one == other || is_short && plain(one) == plain(other)
}

/// Returns whether a cell holds a mail address, and so is not a heading.
pub(super) fn is_address(cell: &str) -> bool {
    let parts = cell.rsplit_once('@');
    parts.is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && !cell.contains(char::is_whitespace)
    })
}

const HEADING_BYTES_MAX: usize = 200;

/// Returns the letters and digits of a text without case, accents and widths.
fn fold(text: &str) -> String {
    let plain = text.nfkd().filter(|c| !is_combining_mark(*c));
    let lower: String = plain.flat_map(char::to_lowercase).collect();
    // Lower case may bring marks of its own, as for the Turkish dotted capital I.
    let lower = lower.nfkd().filter(|c| c.is_alphanumeric());
    // Programs that know no Turkish write I for its dotless letter.
    let lower = lower.map(|c| if c == 'ı' { 'i' } else { c });
    lower.nfc().collect()
}

fn known() -> &'static HashMap<String, Meaning> {
    static KNOWN: OnceLock<HashMap<String, Meaning>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut known = HashMap::new();
        for (meaning, words) in WORDS {
            for word in words.split(',') {
                known.entry(fold(word)).or_insert(*meaning);
            }
        }
        for (meaning, firsts, seconds) in PAIRS {
            for first in firsts.split(' ') {
                for second in seconds.split(' ') {
                    known.entry(format!("{first}{second}")).or_insert(meaning);
                }
            }
        }
        known
    })
}

/// English headings of two words.
const PAIRS: [(Meaning, &str, &str); 5] = [
    (
        Meaning::Login,
        "user login logon signin account net unix campus windows network eduid canvas moodle blackboard github gitlab",
        "id ids name names code key login user userid username",
    ),
    (
        Meaning::Number,
        "student students learner pupil participant candidate member person people university college school institution institutional \
         institute enrolment enrollment registration register roll rollcall index admission matriculation matric matriculate \
         sis employee staff card library exam examination id reg class uni sid ucas hesa",
        "id ids idnumber no nr num number numbers code ref reference",
    ),
    (
        Meaning::FullName,
        "student students learner pupil participant candidate member person full complete display legal real preferred sortable",
        "name names fullname",
    ),
    (
        Meaning::Email,
        "student school university college institution institutional campus primary official personal contact user work",
        "email mail emailaddress mailaddress emails emailid",
    ),
    (
        Meaning::Other,
        "student home phone mobile tutor lab seminar course module subject section class group team programme program study start end due last",
        "phone number group groups section name code title date year level status access time",
    ),
];

/// Headings in many languages, as people write them.
const WORDS: &[(Meaning, &str)] = &[
    (Meaning::Id, "id,ids"),
    (
        Meaning::Login,
        "username,usernames,user,users,user id,userid,uid,login,logins,login id,login name,logon,logon name,sign-in name,account,\
         account name,net id,netid,eid,upi,cwid,unikey,zid,crsid,utorid,sis login id,nickname,nick,handle,screen name,alias,aliases,code name,codename,code names,codenames,short name,shortname,short names,short code,initials,call sign,pen name,\
         Kurzzeichen,Kurzname,Kurzbezeichnung,Namenskürzel,Deckname,Decknamen,Spitzname,Kürzel der Person,nom de code,nom court,surnom,initiales,abréviation,\
         nombre en clave,nombre corto,apodo,iniciales,abreviatura,nome in codice,nome breve,soprannome,iniziali,nome curto,apelido de usuário,iniciais,codenaam,schuilnaam,bijnaam,initialen,afkorting,kodnamn,smeknamn,\
         kodenavn,kallenavn,kælenavn,forkortelse,peitenimi,lempinimi,lyhenne,kryptonim,pseudonim,skrót,přezdívka,zkratka,prezývka,skratka,becenév,rövid név,monogram,poreclă,kısa ad,takma ad,rumuz,κωδικό όνομα,ψευδώνυμο,\
         кодовое имя,псевдоним,ник,никнейм,краткое имя,сокращение,прізвисько,псевдонім,代号,代號,昵称,暱稱,简称,簡稱,コードネーム,ニックネーム,略称,닉네임,별명,약칭,\
         sam account name,user principal name,upn,ldap,kerberos,\
         Benutzername,Benutzer,Benutzerkennung,Benutzerkürzel,Nutzername,Nutzer,Nutzerkennung,Kennung,Anmeldename,Anmeldung,Loginname,Kürzel,\
         RZ-Kennung,Uni-Kennung,TU-Kennung,ZIM-Kennung,Hochschulkennung,Konto,\
         identifiant,identifiants,nom d'utilisateur,utilisateur,utilisateurs,pseudo,compte,code permanent,\
         nombre de usuario,usuario,usuarios,cuenta,nome utente,utente,utenti,account utente,nome de usuário,nome de utilizador,usuário,utilizador,utilizadores,conta,\
         gebruikersnaam,gebruiker,gebruikers,inlognaam,användarnamn,användare,användar-id,inloggning,inloggningsnamn,brugernavn,bruger,brukernavn,bruker,\
         käyttäjätunnus,käyttäjänimi,käyttäjä,tunnus,notandanafn,notandi,kasutajanimi,kasutaja,lietotājvārds,lietotājs,vartotojo vardas,vartotojas,naudotojas,\
         nazwa użytkownika,użytkownik,uživatelské jméno,uživatel,přihlašovací jméno,používateľské meno,používateľ,prihlasovacie meno,felhasználónév,felhasználó,\
         utilizator,nume utilizator,nume de utilizator,uporabniško ime,uporabnik,korisničko ime,korisnik,корисничко име,корисник,kullanıcı adı,kullanıcı,\
         όνομα χρήστη,χρήστης,логин,имя пользователя,пользователь,учётная запись,учетная запись,логін,ім'я користувача,користувач,потребителско име,потребител,\
         اسم المستخدم,المستخدم,نام کاربری,کاربر,שם משתמש,משתמש,उपयोगकर्ता नाम,उपयोगकर्ता,ชื่อผู้ใช้,ชื่อผู้ใช้งาน,ผู้ใช้,tên đăng nhập,tên người dùng,tài khoản,nama pengguna,pengguna,\
         用户名,用户,用户名称,用户ID,登录名,登录,账号,帐号,账户,帐户,用戶名,用戶,使用者名稱,使用者,登入名稱,帳號,帳戶,ユーザー名,ユーザ名,ユーザー,ユーザ,ユーザーID,ユーザID,ログイン,ログイン名,ログインID,利用者ID,\
         아이디,사용자 이름,사용자명,사용자,사용자 ID,로그인,로그인 ID,계정",
    ),
    (
        Meaning::Email,
        "email,e-mail,emails,e-mails,mail,mails,email address,e-mail address,mail address,email addresses,email id,\
         E-Mail-Adresse,Mailadresse,E-Mailadresse,Adresse e-mail,courriel,adresse de courriel,adresse mail,adresse électronique,adresse de messagerie,mél,\
         correo,correo electrónico,dirección de correo,dirección de correo electrónico,dirección email,indirizzo email,indirizzo e-mail,indirizzo di posta elettronica,posta elettronica,\
         correio eletrónico,correio eletrônico,endereço de email,endereço de e-mail,e-mailadres,e-postadress,e-post,epost,e-postadresse,mailadresse,sähköposti,sähköpostiosoite,netfang,tölvupóstur,\
         e-pasts,el. paštas,el. pašto adresas,adres e-mail,adres email,e-mailová adresa,emailová adresa,e-mail cím,email cím,adresă de email,adresa de email,e-poštni naslov,e-adresa,email adresa,e-posta,e-posta adresi,eposta,\
         ηλεκτρονικό ταχυδρομείο,διεύθυνση email,email χρήστη,почта,эл. почта,электронная почта,адрес электронной почты,имейл,пошта,електронна пошта,имейл адрес,е-пошта,\
         البريد الإلكتروني,البريد,بريد إلكتروني,ایمیل,پست الکترونیک,דוא\"ל,דואר אלקטרוני,כתובת דואר אלקטרוני,אימייל,ईमेल,ई-मेल,ईमेल पता,อีเมล,อีเมล์,ที่อยู่อีเมล,địa chỉ email,thư điện tử,alamat email,surel,\
         邮箱,邮箱地址,电子邮件,电子邮箱,电邮,邮件,電子郵件,電子信箱,信箱,電郵,メール,メールアドレス,Eメール,電子メール,이메일,이메일 주소,메일,전자우편",
    ),
    (
        Meaning::Number,
        "number,numbers,no,nr,num,sid,uin,pid,puid,student id,org defined id,orgdefinedid,sis user id,sis id,integration id,banner id,prn,usn,reg no,register number,registration number,roll,roll number,matric,matriculation,\
         Matrikelnummer,Matrikelnummern,Matrikelnr,Matrikel-Nr,Matrikel,Matr.-Nr.,Matrikel Nr,Immatrikulationsnummer,Martikelnummer,ID-Nummer,Nummer,Studierendennummer,Legi-Nr,Personalnummer,Schülernummer,Teilnehmernummer,\
         numéro,numéro d'étudiant,numéro étudiant,n° étudiant,no étudiant,num étudiant,numéro d'identification,numéro d'élève,INE,code étudiant,matricule,code apogée,\
         número,número de identificación,número de ID,núm. de expediente,expediente,número de control,número de cuenta,número de estudiante,número de alumno,código,código de estudiante,código alumno,documento,DNI,cédula,NIA,carné,carnet,matrícula,boleta,\
         matricola,numero di matricola,numero matricola,codice fiscale,codice studente,numero,número de aluno,número de matrícula,número mecanográfico,nº mecanográfico,RA,número de identificação,\
         studentnummer,studentennummer,leerlingnummer,stamnummer,studienummer,nummer,personnummer,elevnummer,opiskelijanumero,numero,oppilasnumero,kennitala,nemendanúmer,matrikli number,üliõpilaskood,isikukood,studenta numurs,apliecības numurs,studento numeris,\
         numer albumu,nr albumu,numer indeksu,nr indeksu,indeks,numer,osobní číslo,učo,číslo studenta,číslo,osobné číslo,evidenčné číslo,neptun-kód,neptun kód,neptun,törzsszám,diákigazolvány szám,număr matricol,nr matricol,număr,vpisna številka,JMBAG,broj indeksa,број индекса,\
         öğrenci no,öğrenci numarası,öğrenci kimlik no,okul no,numara,numarası,αριθμός μητρώου,αρ. μητρώου,ΑΜ,ΑΕΜ,номер студенческого,номер студенческого билета,студенческий билет,номер зачётки,зачетная книжка,номер зачётной книжки,номер,табельный номер,номер студента,номер студентського,факултетен номер,ФН,\
         الرقم الجامعي,رقم الطالب,الرقم,رقم القيد,شماره دانشجویی,תעודת זהות,מספר סטודנט,מספר זהות,ת.ז.,अनुक्रमांक,रोल नंबर,छात्र संख्या,รหัสนักศึกษา,รหัสนิสิต,รหัส,เลขประจำตัว,เลขที่,mã sinh viên,mã số sinh viên,MSSV,mã SV,mã số,số báo danh,NIM,NPM,nomor induk mahasiswa,nomor induk,nomor,nomor pelajar,no. matrik,\
         学号,学籍号,编号,工号,考号,准考证号,序号,学生编号,学生证号,學號,學生編號,編號,學籍號,座號,学籍番号,学生番号,番号,出席番号,学生証番号,학번,학생 번호,번호,학적번호",
    ),
    (
        Meaning::FullName,
        "full name,fullname,student name,display name,displayname,name and surname,first and last name,first name and surname,first name / last name,first name / surname,last name first name,last name and first name,names,students,student,participant,participants,learner,learners,pupil,pupils,alumni,alumnus,alumna,alumnae,alum,alums,graduate,graduates,undergraduate,undergraduates,trainee,trainees,apprentice,apprentices,delegate,delegates,guest,guests,staff,employee,employees,teacher,teachers,tutor,tutors,attendee,attendees,candidate,member,members,person,people,user full name,\
         Vor- und Nachname,Vollständiger Name,Name und Vorname,Nachname Vorname,Studierende,Studierender,Studentin,Studenten,Alumnus,Ehemalige,Absolvent,Absolventin,Absolventen,Absolvierende,Auszubildende,Azubi,Azubis,Mitglied,Mitglieder,Person,Personen,Hörer,Hörerin,Lernende,Kursteilnehmer,Teilnehmer,Teilnehmerin,Teilnehmende,Teilnehmer/in,Teilnehmer*in,Schüler,Schülerin,Schüler/in,\
         nom complet,nom et prénom,nom prénom,prénom et nom,prénom nom,étudiant,étudiante,étudiants,étudiantes,anciens,ancien élève,anciens élèves,diplômés,apprenant,apprenants,stagiaire,stagiaires,membre,membres,inscrits,étudiant(e),élève,élèves,participant(e),\
         nombre completo,nombre y apellidos,apellidos y nombre,apellidos y nombres,nombres y apellidos,estudiante,estudiantes,alumno,alumna,alumnos,alumnas,exalumnos,egresado,egresados,miembro,miembros,inscritos,asistentes,alumno/a,participante,participantes,\
         nome completo,nome e cognome,cognome e nome,nominativo,studente,studentessa,studenti,alunno,alunni,partecipante,partecipanti,aluno,aluna,alunos,aluno(a),estudante,estudantes,nome do aluno,discente,discentes,\
         volledige naam,studenten,leerling,leerlingen,cursist,deelnemer,deelnemers,fullständigt namn,för- och efternamn,elev,elever,deltagare,fulde navn,fullt navn,studerende,deltager,deltagere,koko nimi,opiskelija,opiskelijat,oppilas,nemandi,fullt nafn,täisnimi,üliõpilane,õpilane,vārds uzvārds,students,studentė,studentas,vardas pavardė,vardas ir pavardė,\
         imię i nazwisko,nazwisko i imię,studentka,uczeń,uczestnik,celé jméno,jméno a příjmení,příjmení a jméno,žák,účastník,celé meno,meno a priezvisko,študent,teljes név,hallgató,tanuló,hallgató neve,nume complet,nume și prenume,nume si prenume,studentul,elevul,ime in priimek,študentka,ime i prezime,prezime i ime,име и презиме,\
         ad soyad,adı soyadı,ad-soyad,isim soyisim,öğrenci,öğrenci adı,katılımcı,ονοματεπώνυμο,φοιτητής,φοιτητές,ФИО,Ф.И.О.,студент,студенты,студентка,учащийся,ученик,участник,слушатель,обучающийся,полное имя,ПІБ,учень,учасник,три имена,ученици,\
         الاسم,الاسم الكامل,اسم الطالب,الطالب,الطلاب,نام و نام خانوادگی,دانشجو,שם מלא,סטודנט,סטודנטים,תלמיד,שם הסטודנט,पूरा नाम,छात्र,छात्र का नाम,विद्यार्थी,ชื่อ-สกุล,ชื่อ-นามสกุล,ชื่อ สกุล,นักศึกษา,นักเรียน,ชื่อนักศึกษา,họ và tên,họ tên,sinh viên,học sinh,nama lengkap,mahasiswa,siswa,nama mahasiswa,pelajar,\
         姓名,学生,学生姓名,同学,名单,真实姓名,學生,學生姓名,同學,名單,氏名,学生氏名,学生名,生徒,受講者,受講生,성명,학생,학생명,학생 이름,수강생",
    ),
    (
        Meaning::Name,
        "name,Name,nom,noms,nombre,nombres,nome,naam,namn,navn,nimi,nafn,vardas,vārds,nazwa,jméno,meno,név,nume,ime,ad,adı,isim,όνομα,имя,ім'я,име,اسم,نام,שם,नाम,ชื่อ,tên,nama,名字,名,名前,お名前,이름",
    ),
    (
        Meaning::FirstName,
        "first name,firstname,first,given name,given names,givenname,forename,forenames,first names,preferred first name,\
         Vorname,Vornamen,Rufname,prénom,prénoms,nombre(s),primer nombre,nome proprio,primeiro nome,prenome,voornaam,roepnaam,förnamn,tilltalsnamn,fornavn,etunimi,kutsumanimi,fornafn,eesnimi,imię,imiona,křestní jméno,krstné meno,keresztnév,utónév,prenume,\
         önad,öz ad,vardas (-ai),имя отчество,имена,الاسم الأول,الاسم الاول,שם פרטי,पहला नाम,प्रथम नाम,ชื่อจริง,ชื่อต้น,tên riêng,nama depan,下の名前,名(名前),거명",
    ),
    (
        Meaning::LastName,
        "last name,lastname,last,surname,surnames,family name,familyname,familynames,last names,sur name,second name,\
         Nachname,Nachnamen,Familienname,Zuname,nom de famille,nom de naissance,nom d'usage,apellido,apellidos,apellido(s),primer apellido,cognome,cognomi,apelido,apelidos,sobrenome,sobrenomes,último nome,achternaam,familienaam,efternamn,efternavn,etternavn,sukunimi,eftirnafn,kenninafn,perekonnanimi,perenimi,uzvārds,pavardė,nazwisko,nazwiska,příjmení,priezvisko,vezetéknév,családnév,nume de familie,priimek,prezime,презиме,soyad,soyadı,soyisim,\
         επώνυμο,επίθετο,фамилия,прізвище,фамилно име,اسم العائلة,الاسم الأخير,اللقب,نام خانوادگی,שם משפחה,उपनाम,अंतिम नाम,นามสกุล,สกุล,họ,nama belakang,nama keluarga,姓,姓氏,苗字,名字(姓),성,성씨",
    ),
    (
        Meaning::Other,
        "role,roles,group,groups,section,sections,class,classes,course,courses,team,teams,tutorial,seminar,lab,cohort,cohorts,year,semester,term,grade,grades,mark,marks,points,score,total,comment,comments,note,notes,remark,remarks,status,date,phone,telephone,mobile,address,city,country,department,institution,faculty,school,programme,program,major,gender,sex,birthday,date of birth,roster,list,class list,title,salutation,availability,last access,timestamp,\
         Rolle,Gruppe,Gruppen,Abteilung,Klasse,Kurs,Semester,Studiengang,Fach,Note,Punkte,Bemerkung,Bemerkungen,Anrede,Telefon,Adresse,Geburtsdatum,Liste,Klassenliste,Teilnehmerliste,groupe,groupes,classe,filière,rôle,remarque,remarques,liste,grupo,grupos,clase,curso,carrera,rol,observaciones,lista,gruppo,gruppi,ruolo,corso,turma,função,papel,groep,klas,rol,grupp,klass,roll,hold,gruppe,klasse,ryhmä,rooli,luokka,grupa,rola,skupina,třída,trieda,csoport,osztály,sınıf,grup,bölüm,ομάδα,τμήμα,группа,курс,роль,класс,група,клас,المجموعة,الشعبة,الدور,קבוצה,כיתה,समूह,कक्षा,กลุ่ม,ชั้น,lớp,nhóm,kelas,\
         班级,组,小组,角色,专业,学院,院系,年级,性别,备注,班級,小組,系級,系所,年級,性別,備註,クラス,グループ,組,学年,学部,学科,役割,備考,분반,조,그룹,역할,학과,학년,비고,반",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_known_whatever_its_case_spaces_and_accents() {
        for (heading, expected) in [
            ("Username", Meaning::Login),
            ("USER_NAME", Meaning::Login),
            ("user-id", Meaning::Login),
            ("Login", Meaning::Login),
            ("Benutzername", Meaning::Login),
            ("Kullanıcı Adı", Meaning::Login),
            ("KULLANICI ADI", Meaning::Login),
            ("käyttäjätunnus", Meaning::Login),
            ("用户名", Meaning::Login),
            ("ユーザー名", Meaning::Login),
            ("ﾕｰｻﾞｰ名", Meaning::Login),
            ("E-Mail", Meaning::Email),
            ("e mail address", Meaning::Email),
            ("Adresse de courriel", Meaning::Email),
            ("학번", Meaning::Number),
            ("学号", Meaning::Number),
            ("Matrikelnummer", Meaning::Number),
            ("Matr.-Nr.", Meaning::Number),
            ("N° étudiant", Meaning::Number),
            ("student_id", Meaning::Number),
            ("Student ID Number", Meaning::Number),
            ("Roll No.", Meaning::Number),
            ("Student", Meaning::FullName),
            ("รหัสนักศึกษา", Meaning::Number),
            ("First name", Meaning::FirstName),
            ("PRENOM", Meaning::FirstName),
            ("Apellido(s)", Meaning::LastName),
            ("ФИО", Meaning::FullName),
            ("Section", Meaning::Other),
            (" ID ", Meaning::Id),
        ] {
            assert_eq!(meaning(heading), Some(expected), "{heading}");
        }
        for person in ["erin", "s100003", "张三", "Zoë", "o'brien", "a", ""] {
            assert_eq!(meaning(person), None, "{person}");
        }
        assert_eq!(meaning(&"x".repeat(10 << 20)), None);
    }

    #[test]
    fn no_word_folds_to_nothing() {
        assert!(!known().contains_key(""));
        assert!(known().len() > 800, "{}", known().len());
    }
}
