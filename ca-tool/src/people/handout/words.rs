//! The sentences of the hand-out, in each language. The template says in which order they stand.
//!
//! A sentence may name a fact, as in `{file}`; the facts come from the certificate.

/// Every sentence of one language, under the names that the template uses.
pub(super) type Words = &'static [(&'static str, &'static str)];

/// The languages, in the order in which they stand on the page.
pub(super) const LANGUAGES: [Words; 2] = [ENGLISH, CHINESE];

const ENGLISH: Words = &[
    ("lang", "en"),
    ("title", "Your certificate for “{room}”"),
    ("whose", "Your name in the room"),
    ("server_is", "The server"),
    ("valid_until", "Valid until"),
    ("whom_to_ask", "Questions and problems"),
    ("whoever", "the person who gave you this file"),
    ("no_server", "ask for its address"),
    (
        "secret",
        "<code>{file}</code> is your certificate and its private key. Whoever has this file can speak under your name. \
         Keep it to yourself: do not mail it, and do not put it into a shared folder or a repository.",
    ),
    ("get_heading", "Get the program “client”"),
    (
        "get_from",
        "Download <code>client</code> for your system from {client_url}. It is one file. You need not install it.",
    ),
    (
        "get_unknown",
        "Ask {contact} where to get the program <code>client</code> for your system. It is one file. You need not \
         install it. The section “{others_heading}” shows how to enter without it.",
    ),
    ("unpack_heading", "Unpack this zip file"),
    (
        "unpack",
        "Put <code>{file}</code> and <code>client</code> into the same folder, and open a terminal there. On Windows, \
         right-click in the folder and choose “Open in Terminal”. On macOS and Linux, open a terminal, type \
         <code>cd</code> and a space, drag the folder into the window, and press Enter.",
    ),
    ("enter_heading", "Enter the room"),
    ("enter_windows", "On Windows, type:"),
    (
        "enter_unix",
        "On macOS and Linux, type these two lines. You need the first one only once:",
    ),
    (
        "inside",
        "Everything that you type is sent to the room when you press Enter. F1 shows all keys and commands, and Ctrl-D \
         leaves.",
    ),
    ("trouble_heading", "If something is wrong"),
    (
        "refused",
        "If you are refused, read what <code>client</code> prints: it says why, and what to do next. If it cannot reach \
         the server, you may have to be in the right network, or the room may not be open yet.",
    ),
    (
        "lost",
        "<b>If your laptop or this file is lost or stolen,</b> tell {contact} at once. Your certificate is then revoked: \
         nobody can use it any more, and you get a new one.",
    ),
    (
        "ends",
        "The certificate is valid until {until}. Ask {contact} for a new one before that day. The program reminds you \
         when 14 days are left.",
    ),
    ("others_heading", "Without our program"),
    (
        "others",
        "Any program that can use TLS 1.3 with a client certificate can enter. Open a terminal in the folder with \
         <code>{file}</code>. Both of these check that the server is the right one.",
    ),
    (
        "with_openssl",
        "With OpenSSL, in one line. Type lines to say them, and <code>/quit</code> to leave:",
    ),
    (
        "with_python",
        "With Python 3. Save these lines as <code>say.py</code>, and run <code>python3 say.py</code>:",
    ),
];

const CHINESE: Words = &[
    ("lang", "zh"),
    ("title", "你在“{room}”的证书"),
    ("whose", "你在聊天室里的名字"),
    ("server_is", "服务器"),
    ("valid_until", "有效期至"),
    ("whom_to_ask", "有问题请找"),
    ("whoever", "给你这个文件的人"),
    ("no_server", "请询问地址"),
    (
        "secret",
        "<code>{file}</code> 里有你的证书和私钥。谁拿到这个文件，谁就能以你的名字发言。请自己保管好：\
         不要用邮件发送，也不要放进共享文件夹或代码仓库。",
    ),
    ("get_heading", "获取程序 client"),
    (
        "get_from",
        "从 {client_url} 下载适合你的系统的 <code>client</code>。它只有一个文件，不需要安装。",
    ),
    (
        "get_unknown",
        "请向{contact}询问在哪里可以得到适合你的系统的程序 <code>client</code>。它只有一个文件，不需要安装。\
         不用这个程序的方法见“{others_heading}”。",
    ),
    ("unpack_heading", "解压这个 zip 文件"),
    (
        "unpack",
        "把 <code>{file}</code> 和 <code>client</code> 放在同一个文件夹里，并在那里打开终端。Windows：在文件夹里点右键，\
         选择“在终端中打开”。macOS 和 Linux：打开终端，输入 <code>cd</code> 和一个空格，把文件夹拖进窗口，然后按回车。",
    ),
    ("enter_heading", "进入聊天室"),
    ("enter_windows", "在 Windows 上输入："),
    (
        "enter_unix",
        "在 macOS 和 Linux 上输入下面两行。第一行只需要输入一次：",
    ),
    (
        "inside",
        "输入一行文字后按回车，就会发送到聊天室。按 F1 查看所有按键和命令，按 Ctrl-D 离开。",
    ),
    ("trouble_heading", "遇到问题时"),
    (
        "refused",
        "如果被拒绝，请阅读 <code>client</code> 显示的内容：它会说明原因和下一步该怎么做。如果连不上服务器，\
         可能需要先连接到正确的网络，也可能聊天室还没有开放。",
    ),
    (
        "lost",
        "<b>如果电脑或这个文件丢失或被盗，</b>请立即告诉{contact}。你的证书会被吊销，别人就不能再使用它，你会得到一个新的证书。",
    ),
    (
        "ends",
        "证书的有效期至 {until}。请在这之前向{contact}申请新的证书。剩下 14 天时程序会提醒你。",
    ),
    ("others_heading", "不用我们的程序"),
    (
        "others",
        "任何支持 TLS 1.3 和客户端证书的程序都可以进入。在 <code>{file}</code> 所在的文件夹里打开终端。\
         下面两种方法都会检查服务器是否正确。",
    ),
    (
        "with_openssl",
        "用 OpenSSL，只有一行命令。输入文字即可发言，输入 <code>/quit</code> 离开：",
    ),
    (
        "with_python",
        "用 Python 3。把下面的内容保存为 <code>say.py</code>，然后运行 <code>python3 say.py</code>：",
    ),
];
