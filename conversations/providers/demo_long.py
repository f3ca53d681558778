"""The demo's long answer: a walk through the whole numbers, with every formatting a chat must bear."""

SECTIONS = 32  # of about 970 characters each: the answer passes 30,000, far beyond one message
DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")  # as Arabic writes them, in a right-to-left line
EMOJI = ("🌱", "🔢", "🧭", "🛰️", "👩‍🔬", "🇪🇺", "🧵", "🏔️", "👍🏽", "🎲")

INTRODUCTION = {
    "en": "# A walk through the numbers 1 to {last}\n\nYou asked for something long. Every section below says true "
    "things about one number, and shows one way of formatting after another.\n\n",
    "ru": "# Прогулка по числам от 1 до {last}\n\nВы просили что-нибудь длинное. Каждый раздел говорит правду об одном "
    "числе и показывает один вид оформления за другим.\n\n",
}

SECTION = {
    "en": """## {emoji} The number {n}

The number **{n}** is {parity}, and it is {primality}. In binary it is written `{n:b}`, in hexadecimal \
`{n:x}`, and its square is {square:,}. The sum of all numbers from 1 to {n} is {triangle:,}, because \
pairing the first with the last, the second with the last but one and so on gives {n} × {next} / 2.

- Divisors: {divisors}
- Their number: *{count}*
  - the smallest is 1, as always
  - the greatest is ~~{wrong}~~ {n}
- Roots: √{n} ≈ {root:.4f}, ∛{n} ≈ {cube_root:.4f}

| power | value | last digit |
|:--|--:|:-:|
{rows}

```python
n = {n}
divisors = [d for d in range(1, n + 1) if n % d == 0]
assert divisors == {divisor_list}
assert sum(range(1, n + 1)) == {triangle}
```

> Multiply {n} by 9 and add the digits of the product until one is left: it is always 9. \
Here {n} × 9 = {nine}.

In Arabic, which is written from right to left, it reads: **الرقم {arabic} ومربعه {arabic_square}**. \
And so to the next one: what {n} cannot do, {next} perhaps can.

""",
    "ru": """## {emoji} Число {n}

Число **{n}** {parity} и {primality}. В двоичной записи это `{n:b}`, в шестнадцатеричной `{n:x}`, а его \
квадрат равен {square}. Сумма всех чисел от 1 до {n} равна {triangle}: если сложить первое с последним, \
второе с предпоследним и так далее, получится {n} × {next} / 2.

- Делители: {divisors}
- Сколько их: *{count}*
  - наименьший, как всегда, 1
  - наибольший ~~{wrong}~~ {n}
- Корни: √{n} ≈ {root:.4f}, ∛{n} ≈ {cube_root:.4f}

| степень | значение | последняя цифра |
|:--|--:|:-:|
{rows}

```python
n = {n}
divisors = [d for d in range(1, n + 1) if n % d == 0]
assert divisors == {divisor_list}
assert sum(range(1, n + 1)) == {triangle}
```

> Умножьте {n} на 9 и складывайте цифры произведения, пока не останется одна: это всегда 9. \
Здесь {n} × 9 = {nine}.

По-арабски, справа налево, это пишется так: **الرقم {arabic} ومربعه {arabic_square}**. \
А теперь к следующему: чего не может {n}, то, возможно, сможет {next}.

""",
}

PARITY = {"en": ("even", "odd"), "ru": ("чётное", "нечётное")}
PRIMALITY = {
    "en": ("the unit", "prime", "composite"),
    "ru": ("единица", "простое", "составное"),
}
END = {
    "en": "---\n\nThat was the walk: {last} numbers, nothing left out. ✅",
    "ru": "---\n\nВот и вся прогулка: {last} чисел, ничего не пропущено. ✅",
}


def long_answer(language: str) -> str:
    """The whole text, always the same one for a language."""
    sections = "".join(_section(number, language) for number in range(1, SECTIONS + 1))
    return INTRODUCTION[language].format(last=SECTIONS) + sections + END[language].format(last=SECTIONS)


def _section(n: int, language: str) -> str:
    divisors = [divisor for divisor in range(1, n + 1) if n % divisor == 0]
    kind = 0 if n == 1 else 1 if len(divisors) == 2 else 2
    return SECTION[language].format(
        emoji=EMOJI[n % len(EMOJI)],
        n=n,
        next=n + 1,
        parity=PARITY[language][n % 2],
        primality=PRIMALITY[language][kind],
        square=n * n,
        triangle=n * (n + 1) // 2,
        divisors=", ".join(map(str, divisors)),
        divisor_list=divisors,
        count=len(divisors),
        wrong=n + 1,
        root=n**0.5,
        cube_root=n ** (1 / 3),
        rows="\n".join(f"| {n}^{power} | {n**power} | {n**power % 10} |" for power in range(1, 7)),
        nine=n * 9,
        arabic=str(n).translate(DIGITS),
        arabic_square=str(n * n).translate(DIGITS),
    )
